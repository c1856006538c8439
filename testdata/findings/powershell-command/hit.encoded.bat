@echo off
powershell -nop -enc VwByAGkAdABlAC0ASABvAHMAdAAgADEA
exit /b

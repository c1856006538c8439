@echo off
rem powershell -enc VwByAGkAdABlAC0ASABvAHMAdAAgADEA
echo This needs powershell -File a.ps1 later
mkdir powershell

@echo off
copy %windir%\System32\WindowsPowerShell\v1.0\powershell.exe %TEMP%\notes.exe

@echo off
rem copy powershell.exe notes.exe
copy %windir%\System32\cmd.exe D:\rescue\
copy report.xls backup.xls

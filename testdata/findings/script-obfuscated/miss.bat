@echo off
set day=%date:~0,4%%date:~5,2%%date:~8,2%
xcopy D:\data E:\backup\%day% ^
  /s /d
if %errorlevel% neq 0 echo failed

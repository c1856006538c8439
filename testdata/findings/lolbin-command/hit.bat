@echo off
set t=certutil
%t% -urlcache -split -f http://files.example.invalid/a.txt b.txt
exit /b

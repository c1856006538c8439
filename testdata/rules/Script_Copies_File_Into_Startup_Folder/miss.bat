@echo off
dir "%APPDATA%\Microsoft\Windows\Start Menu\Programs\Startup"
del a.txt

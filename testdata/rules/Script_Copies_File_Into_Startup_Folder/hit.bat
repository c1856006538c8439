@echo off
copy a.txt "%APPDATA%\Microsoft\Windows\Start Menu\Programs\Startup\a.txt"

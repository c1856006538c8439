@echo off
powershell -NoProfile -File inventory.ps1
exit /b

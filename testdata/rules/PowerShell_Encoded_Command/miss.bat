@echo off
rem builds the report
powershell.exe -NoProfile -ExecutionPolicy RemoteSigned -File build-report.ps1

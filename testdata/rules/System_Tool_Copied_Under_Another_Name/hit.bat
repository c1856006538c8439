copy /y C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe %TEMP%\update.exe

copy /y \\server\tools\report.exe %TEMP%\report.exe

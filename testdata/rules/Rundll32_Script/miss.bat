rundll32.exe printui.dll,PrintUIEntry /in /n \\printsrv\floor3

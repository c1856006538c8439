cmd.exe /Q /c whoami 1> \\127.0.0.1\ADMIN$\__1.2 2>&1

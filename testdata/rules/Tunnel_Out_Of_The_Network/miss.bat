plink.exe -batch user@192.0.2.1 uptime
ssh -L 8080:localhost:80 user@192.0.2.1

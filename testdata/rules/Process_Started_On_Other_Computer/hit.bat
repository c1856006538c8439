wmic /node:192.0.2.1 process call create "notepad.exe"

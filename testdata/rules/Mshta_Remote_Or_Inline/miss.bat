rem asks for the department
mshta.exe "%~dp0dialog.hta"

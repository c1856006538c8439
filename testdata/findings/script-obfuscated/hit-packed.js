eval(function(p,a,c,k,e,d){while(c--)if(k[c])p=p.replace(new RegExp('\\b'+c+'\\b','g'),k[c]);return p}('0.1(2)',3,3,'console|log|total'.split('|'),0,{}))

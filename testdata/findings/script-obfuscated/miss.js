!function(e,t){"use strict";var n=String.fromCharCode(13,10),r="a"+n+"b";e.plan={get:function(i){return i?r.split(n).reverse().join(""):t},set:function(i,o){for(var u=0;u<i.length;u++)o.push(i[u]);return o}}}(this,void 0);
var h='<table>'+'<tr><td>'+'a long piece of a page'+'</td></tr>'+'</table>';

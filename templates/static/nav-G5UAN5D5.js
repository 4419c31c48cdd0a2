import{a,b,c,d}from"./chunk-MX4MDL57.js";import"./chunk-N2HSU5K6.js";import"./chunk-SQE76S5B.js";export{d as handles,a as pageEvent,b as startNavigation,c as visit};

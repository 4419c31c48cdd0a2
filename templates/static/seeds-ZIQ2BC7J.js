import{a,b,c}from"./chunk-3UZEG7CC.js";import"./chunk-SQE76S5B.js";export{c as forgetAll,a as keepSeed,b as seedOf};

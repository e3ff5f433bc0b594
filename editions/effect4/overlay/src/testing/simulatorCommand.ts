// In place of declarations: the package of Node has another major.

const installation = "Install it beside effect-llm:    npm install --save-dev @effect/platform-node@4\n" +
  "Or run both without installing:  npx -p effect-llm@4 -p @effect/platform-node@4 effect-llm-simulator"

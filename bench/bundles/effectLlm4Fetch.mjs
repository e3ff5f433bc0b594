import "../../editions/effect4/bench/hello.mjs"

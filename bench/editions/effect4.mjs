/** Effect 4 and the edition for it: that folder has its packages. */
export * from "../../editions/effect4/bench/modules.mjs"

// In place of declarations: Effect 4 has other words for its own schemas and filters.

const words = {
  notEmpty: "a value with a length of at least 1",
  upTo150: "a value between 0 and 150",
  atMostThree: "a value with a length of at most 3",
  date: "a string that will be decoded as a Date"
}

// Who begins with practical information most likely writes to people about what they booked, and the other way round.

const purpose = document.querySelector("select[name=purpose]");
let before = purpose.value;

for (const start of document.querySelectorAll("input[name=start]")) {
  start.addEventListener("change", () => {
    if ("service" in start.dataset) {
      before = purpose.value === "service" ? before : purpose.value;
      purpose.value = "service";
    } else if (purpose.value === "service") purpose.value = before === "service" ? "newsletter" : before;
  });
}

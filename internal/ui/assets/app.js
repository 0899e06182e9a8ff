// Nothing here is needed: the pages work without it.
"use strict";

// A form is sent once, however often its button is pressed. The ledger would
// notice anyway.
for (const form of document.querySelectorAll("form[data-once]")) {
  let sent = false;
  form.addEventListener("submit", (e) => {
    if (sent) e.preventDefault();
    sent = true;
  });
  addEventListener("pageshow", () => { sent = false; });
}

// What is wrong is read out, and where the next Tab starts from.
document.querySelector(".wrong-list")?.focus();

// The hash of a piece of evidence, computed here: the file goes nowhere.
const hashing = document.querySelector("[data-hash]");
if (hashing && crypto.subtle) {
  hashing.hidden = false;
  hashing.querySelector("input").addEventListener("change", async (e) => {
    const file = e.target.files[0];
    if (!file) return;
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", await file.arrayBuffer()));
    document.getElementById("evidence_sha256").value = Array.from(digest, (b) => b.toString(16).padStart(2, "0")).join("");
    document.getElementById("evidence_size").value = file.size;
    document.getElementById("evidence_type").value = file.type || "application/octet-stream";
  });
}

for (const button of document.querySelectorAll("[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => print());
}

/** Copying, also where the page came without TLS from another machine and browsers keep their clipboard closed. */
import { app } from "./app.svelte";

export async function copy(text: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
    app.say("Copied");
  } catch {
    const box = document.createElement("textarea");
    box.value = text;
    // inside an open dialog the rest of the page cannot be selected
    (document.querySelector("dialog[open]") ?? document.body).append(box);
    box.select();
    const done = document.execCommand("copy");
    box.remove();
    if (done) app.say("Copied");
    else app.say("This browser does not let the page copy.", "bad");
  }
}

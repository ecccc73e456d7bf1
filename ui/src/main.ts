import "./tokens.css";
import "./base.css";
import { mount } from "svelte";
import App from "./App.svelte";
import { app } from "./lib/app.svelte";
import * as keys from "./lib/keys";
import { go, href, install } from "./lib/router.svelte";

app.start();
install();
keys.install((path) => go(href(path)));

const target = document.getElementById("app");
if (target) mount(App, { target });

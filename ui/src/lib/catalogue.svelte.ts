/** The field catalogue, loaded once, when the first filter box is looked at. */
import * as api from "./api";
import type { Field } from "./filter";

class Catalogue {
  fields = $state.raw<Field[]>([]);
  private asked = false;

  async load(): Promise<void> {
    if (this.asked) return;
    this.asked = true;
    try {
      this.fields = (await api.fields()).fields;
    } catch {
      // the box works without completion; the next one asks again
      this.asked = false;
    }
  }
}

export const catalogue = new Catalogue();

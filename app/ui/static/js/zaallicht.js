// The one script every page loads. Each module looks after one thing and works on pages that come in through htmx too.
import "./requests.js";
import "./dialogs.js";
import "./toasts.js";
import "./fields.js";

// Enhancement only: every page works without it. "/" finds, Escape leaves a field, j and k move in a list, Y N L answer,
// i leads to the inbox unless a form is begun, ? tells the keys. What a page has to tell gets the focus, so that it is read out.
// On a wide window the inbox shows the chosen case beside the list: the first click chooses, the second opens.
// A double click sends a form once. What was asked in another way is shown before its answer can be recorded.
(function () {
  "use strict";
  function typing(target) {
    return target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName);
  }
  function move(step) {
    var rows = Array.prototype.slice.call(document.querySelectorAll("[data-keys] a.row"));
    if (!rows.length) { return false; }
    var at = rows.indexOf(document.activeElement);
    var next = at < 0 ? (step > 0 ? 0 : rows.length - 1) : Math.min(Math.max(at + step, 0), rows.length - 1);
    rows[next].focus();
    return true;
  }
  function press(key) {
    var button = document.querySelector('button[data-key="' + key + '"]');
    if (!button) { return false; }
    button.focus();
    return true;
  }
  function tellKeys() {
    var keys = document.getElementById("keys");
    if (!keys) { return false; }
    keys.open = true;
    keys.querySelector("summary").focus();
    return true;
  }
  function isBegun(form) {
    return Array.prototype.some.call(form.elements, function (each) {
      return Array.prototype.some.call(each.options || [], function (one) { return one.selected !== one.defaultSelected; }) ||
        (each.defaultValue !== undefined && each.value !== each.defaultValue) ||
        (each.defaultChecked !== undefined && each.checked !== each.defaultChecked);
    });
  }
  function go(key) {
    var link = document.querySelector('a[data-goes="' + key + '"]');
    if (!link || Array.prototype.some.call(document.querySelectorAll('form[method="post"]'), isBegun)) { return false; }
    link.click();
    return true;
  }
  var told = document.querySelector("[data-tell]");
  if (told) { told.tabIndex = -1; told.focus(); }
  document.addEventListener("keydown", function (event) {
    if (event.key === "Escape" && typing(event.target)) { event.target.blur(); return; }
    if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) { return; }
    var key = event.key.toLowerCase();
    var done = false;
    if (key === "/") {
      var box = document.getElementById("q");
      if (box) { box.focus(); box.select(); done = true; }
    } else if (key === "j") { done = move(1);
    } else if (key === "k") { done = move(-1);
    } else if (key === "?") { done = tellKeys();
    } else if (key === "i") { done = go(key);
    } else if (key === "y" || key === "n" || key === "l") { done = press(key); }
    if (done) { event.preventDefault(); }
  });
  var pane = document.getElementById("peek");
  var wide = window.matchMedia("(min-width: 1200px)");
  var chosen = null;
  var before = null;
  var asked = null;
  function say(words) {
    var line = document.createElement("p");
    line.className = "quiet";
    line.textContent = words;
    pane.replaceChildren(line);
  }
  function peek(row) {
    if (!wide.matches || row === chosen) { return; }
    if (chosen) { chosen.removeAttribute("aria-current"); }
    if (asked) { asked.abort(); }
    chosen = row;
    row.setAttribute("aria-current", "true");
    asked = new AbortController();
    fetch(row.dataset.peek, { signal: asked.signal }).then(function (answer) {
      if (!answer.ok || answer.redirected) { throw new Error(String(answer.status)); }
      return answer.text();
    }).then(function (part) {
      pane.innerHTML = part;
      pane.scrollTop = 0;
    }).catch(function (error) {
      if (error.name !== "AbortError") { say("This case cannot be shown here just now; open it to see it."); }
    });
  }
  if (pane) {
    document.querySelectorAll("a.row[data-peek]").forEach(function (row, place) {
      row.addEventListener("mousedown", function () { before = chosen; });
      row.addEventListener("focus", function () { peek(row); });
      row.addEventListener("click", function (event) {
        var plain = !(event.ctrlKey || event.metaKey || event.shiftKey || event.altKey);
        if (wide.matches && plain && event.detail > 0 && before !== row) { event.preventDefault(); peek(row); }
      });
      if (place === 0) { peek(row); }
    });
  }
  document.addEventListener("submit", function (event) {
    var form = event.target;
    if (form.getAttribute("method") !== "post") { return; }
    if (form.dataset.sent) { event.preventDefault(); return; }
    form.dataset.sent = "1";
    window.setTimeout(function () { delete form.dataset.sent; }, 3000);
  });
  function compare(form) {
    var stale = Array.prototype.some.call(form.querySelectorAll("select"), function (select) {
      return !select.options[select.selectedIndex].defaultSelected;
    });
    document.querySelectorAll("[data-as-chosen]").forEach(function (part) { part.hidden = stale; });
  }
  document.querySelectorAll("form[data-chooses]").forEach(function (form) {
    form.addEventListener("change", function () { compare(form); });
    compare(form);
  });
}());

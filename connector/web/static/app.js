// Enhancement only: every page works without it. "/" finds, Escape leaves a field, j and k move in a list, Y N L answer.
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
    } else if (key === "y" || key === "n" || key === "l") { done = press(key); }
    if (done) { event.preventDefault(); }
  });
  document.querySelectorAll("select[data-submit]").forEach(function (select) {
    select.addEventListener("change", function () { select.form.submit(); });
  });
}());

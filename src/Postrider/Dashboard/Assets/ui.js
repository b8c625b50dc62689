// What only the browser can do for the dashboard: tell its time zone, hear keys, switch light and dark, copy, keep what was
// done before the page is live, notice that a session is over.
(() => {
  const year = 365 * 24 * 3600;
  const root = document.querySelector('base')?.getAttribute('href') ?? '/ui/';
  const remember = (name, value) => {
    document.cookie = `${name}=${encodeURIComponent(value)}; path=${root.replace(/\/$/, '') || '/'}; max-age=${year}; samesite=strict`;
  };
  remember('postrider-zone', Intl.DateTimeFormat().resolvedOptions().timeZone || 'UTC');

  const isDark = () => {
    const theme = document.documentElement.dataset.theme;
    return theme === 'dark' || (theme !== 'light' && matchMedia('(prefers-color-scheme: dark)').matches);
  };
  const switchTheme = () => {
    const theme = isDark() ? 'light' : 'dark';
    document.documentElement.dataset.theme = theme;
    for (const sheet of document.querySelectorAll('link[data-scheme]')) sheet.media = sheet.dataset.scheme === theme ? 'all' : 'not all';
    remember('postrider-theme', theme);
  };

  const toggleMenu = button => {
    const isOpen = button.parentElement.classList.toggle('is-open');
    button.setAttribute('aria-expanded', String(isOpen));
  };

  const help = () => document.getElementById('help')?.showModal();

  document.addEventListener('click', event => {
    const button = event.target.closest?.('[data-theme-switch], [data-help], [data-menu], [data-copy], .reload');
    if (!button) return;
    if (button.matches('[data-theme-switch]')) switchTheme();
    else if (button.matches('[data-help]')) help();
    else if (button.matches('[data-menu]')) toggleMenu(button);
    else if (button.matches('.reload')) { event.preventDefault(); location.reload(); }
    else {
      navigator.clipboard?.writeText(button.parentElement.querySelector('code').textContent);
      button.textContent = 'Copied';
    }
  });

  // What came of a click may stand far from it: it is brought to where it is seen and read, once.
  let actedAt = -Infinity;
  const act = ({ target }) => { if (target.closest?.('main') && !target.closest('form.filter')) actedAt = performance.now(); };
  document.addEventListener('submit', act, true);
  document.addEventListener('click', event => { if (event.target.closest?.('button')) act(event); }, true);
  const isSeen = part => {
    const { top, bottom } = part.getBoundingClientRect();
    return top >= 0 && bottom <= innerHeight;
  };
  new MutationObserver(changes => {
    if (performance.now() - actedAt > 15000) return;
    const answer = changes.flatMap(change => [...change.addedNodes, change.target.parentElement]).map(node =>
      node?.matches?.('.fault, p.done') ? node : node?.querySelector?.(':scope > .fault, :scope > p.done')).find(node => node?.closest('main'));
    if (!answer) return;
    actedAt = -Infinity;
    if (isSeen(answer)) return;
    answer.tabIndex = -1;
    answer.scrollIntoView({ block: 'center' });
    answer.focus({ preventScroll: true });
  }).observe(document.documentElement, { childList: true, subtree: true, characterData: true });

  const rows = () => [...document.querySelectorAll('[data-rows] .row-link')];
  const move = step => {
    const links = rows();
    if (links.length === 0) return;
    const at = links.findIndex(link => link.closest('tr').contains(document.activeElement));
    const next = at < 0 ? (step > 0 ? 0 : links.length - 1) : Math.min(links.length - 1, Math.max(0, at + step));
    links[next].focus();
    links[next].scrollIntoView({ block: 'nearest' });
  };
  // Who comes back to a list is at the row that they went from.
  const leftAt = new Map();
  document.addEventListener('click', event => {
    const link = event.target.closest?.('[data-rows] .row-link');
    if (link) leftAt.set(location.href, link.getAttribute('href'));
  }, true);
  window.addEventListener('popstate', () => {
    const href = leftAt.get(location.href);
    if (!href) return;
    const find = () => document.querySelector(`[data-rows] .row-link[href="${CSS.escape(href)}"]`);
    const until = performance.now() + 10000;
    const go = () => {
      const link = find();
      if (!link) { if (performance.now() < until) setTimeout(go, 50); return; }
      link.scrollIntoView({ block: 'center' });
      link.focus({ preventScroll: true });
    };
    setTimeout(go, 50);
  });
  const places = { o: '', m: 'messages', i: 'inbox', c: 'compose', q: 'queue' };
  let wentAt = 0;

  document.addEventListener('keydown', event => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (event.target.closest?.('input, textarea, select, [contenteditable]')) return;
    const place = performance.now() - wentAt < 1500 ? places[event.key] : undefined;
    wentAt = 0;
    if (place !== undefined) document.querySelector(`.side a[href="${place}"]`)?.click();
    else if (event.key === '/') document.getElementById('search')?.focus();
    else if (event.key === '?') help();
    else if (event.key === 'j') move(1);
    else if (event.key === 'k') move(-1);
    else if (event.key === 'g') wentAt = performance.now();
    else return;
    event.preventDefault();
  });

  // What was typed on a page whose connection ended is kept in this tab, for the same person at the same address, until it is put back or
  // they sign out. Never what is secret.
  const draftKey = 'postrider-draft';
  const whoIs = () => document.querySelector('.who summary')?.textContent.trim();
  const addressOf = () => location.pathname + location.search;
  const touched = new Map();
  document.addEventListener('input', ({ target }) => { if (target.id) touched.set(target.id, addressOf()); }, true);
  const isKept = field => field && !['password', 'file', 'hidden'].includes(field.type) && !field.closest('[data-secret]') && field.closest('main');
  const keepDraft = () => {
    const fields = [...touched].filter(([, address]) => address === addressOf()).map(([id]) => document.getElementById(id)).filter(isKept)
      .map(({ id, type, value, checked }) => ({ id, type, value, checked }));
    if (fields.length === 0 || !whoIs()) return;
    try {
      sessionStorage.setItem(draftKey, JSON.stringify({ who: whoIs(), address: addressOf(), fields }));
    } catch { /* More than the browser keeps. */ }
  };
  const takeDraft = () => {
    const draft = JSON.parse(sessionStorage.getItem(draftKey) ?? 'null');
    // Nobody is signed in yet, or the page is another: it waits.
    if (!draft || !whoIs() || (draft.who === whoIs() && draft.address !== addressOf())) return new Map();
    sessionStorage.removeItem(draftKey);
    return new Map(draft.who === whoIs() ? draft.fields.map(field => [field.id, field]) : []);
  };
  document.addEventListener('submit', ({ target }) => {
    if (target.getAttribute('action') === 'sign-out') sessionStorage.removeItem(draftKey);
  });

  // A page is drawn anew when it becomes live. What somebody has typed or unfolded by then is put back, and who was in a field stays there.
  const keepUntilLive = () => {
    const typed = new Map();
    const unfolded = new Map();
    let focused = null;
    const titleOf = part => part.querySelector('summary').textContent.trim();
    const twins = title => [...document.querySelectorAll('details')].filter(part => titleOf(part) === title);
    const heard = new AbortController();
    const on = (name, hear) => document.addEventListener(name, hear, { capture: true, signal: heard.signal });
    on('input', ({ target }) => { if (target.id) typed.set(target.id, target); });
    on('focusin', ({ target }) => { focused = target.id; });
    on('click', ({ target }) => {
      const part = target.closest?.('summary')?.parentElement;
      if (part) unfolded.set(part, { title: titleOf(part), place: twins(titleOf(part)).indexOf(part), isOpen: !part.open });
    });
    const putBack = () => {
      for (const [id, field] of takeDraft()) if (!typed.has(id)) typed.set(id, field);
      for (const { title, place, isOpen } of unfolded.values()) {
        const part = twins(title)[place];
        if (part) part.open = isOpen;
      }
      for (const [id, old] of typed) {
        const field = document.getElementById(id);
        if (!field || field === old) continue;
        if ('checked' in field) field.checked = old.checked;
        if (field.type !== 'file') field.value = old.value;
        for (const name of ['input', 'change']) field.dispatchEvent(new Event(name, { bubbles: true }));
      }
      if (focused && document.activeElement === document.body) document.getElementById(focused)?.focus();
    };
    new MutationObserver((_, watch) => {
      if (!document.querySelector('main[data-live]')) return;
      watch.disconnect();
      heard.abort();
      putBack();
    }).observe(document.documentElement, { childList: true, subtree: true, attributes: true, attributeFilter: ['data-live'] });
  };
  keepUntilLive();

  // Texts may be longer than one message of a page's connection: the page is told that one has changed, and asks for it.
  const pauses = new WeakMap();
  const settled = text => {
    clearTimeout(pauses.get(text));
    // Not of the field itself: what it says would be sent along.
    text.parentElement.dispatchEvent(new CustomEvent('settled', { bubbles: true }));
  };
  const isLong = text => text.matches?.('[data-long] > textarea');
  document.addEventListener('input', event => {
    if (!isLong(event.target)) return;
    clearTimeout(pauses.get(event.target));
    pauses.set(event.target, setTimeout(settled, 400, event.target));
  });
  document.addEventListener('change', event => { if (isLong(event.target)) settled(event.target); });
  document.addEventListener('DOMContentLoaded', () => {
    window.Blazor?.registerCustomEventType('settled', { createEventArgs: () => ({}) });
  });
  window.postrider = {
    text: element => new Blob([' ', element.value]),
    goTo: (element, line, column) => {
      const lines = element.value.split('\n');
      const at = lines.slice(0, line - 1).reduce((sum, one) => sum + one.length + 1, 0) + column - 1;
      element.focus();
      element.setSelectionRange(at, Math.min(at + 1, element.value.length));
      element.scrollTop = element.scrollHeight * Math.max(0, line - 4) / lines.length;
    },
  };

  // A page whose connection was cut tells why, and keeps what was typed: a session that is over shows the sign-in form, a server that
  // starts again the page anew. Whatever else goes wrong on a page whose server is going away is no fault of the page.
  document.addEventListener('DOMContentLoaded', () => {
    const bar = document.getElementById('components-reconnect-modal');
    const fault = document.getElementById('blazor-error-ui');
    if (!bar || !fault) return;
    const isCut = () => /components-reconnect-(show|retrying|paused|failed|rejected)/.test(bar.className);
    const isGivenUp = () => /components-reconnect-(failed|rejected)/.test(bar.className);
    const isFaulty = () => fault.style.display === 'block';
    const tell = text => { bar.querySelector('[data-reason]').textContent = text; };
    const away = () => {
      tell('Postrider is stopping or restarting. Trying again … What you typed here is kept.');
      fault.style.display = 'none';
      bar.classList.add('is-away');
    };
    const isAway = () => bar.classList.contains('is-away');
    let isLooking = false;
    let hasReturned = false;
    const look = async () => {
      if (isLooking) return;
      isLooking = true;
      try {
        for (let back = 0; isCut() || isFaulty() || isAway();) {
          const status = await fetch(`${root}session`, { cache: 'no-store' }).then(answer => answer.status, () => 0);
          // Where only the network was away, the page goes on by itself within seconds.
          if (isAway() && status === 204 && !isCut() && hasReturned) return bar.classList.remove('is-away');
          if (status === 401 || (status === 204 && (isGivenUp() || (isAway() && ++back > 5)))) return location.reload();
          if (status === 0 || status === 503) away();
          else if (isFaulty()) return;
          await new Promise(later => setTimeout(later, 1000));
        }
      } finally {
        isLooking = false;
      }
    };
    const watch = new MutationObserver(() => {
      hasReturned = bar.className.includes('components-reconnect-hide');
      if (isCut() || isFaulty()) look();
    });
    watch.observe(bar, { attributes: true, attributeFilter: ['class'] });
    watch.observe(fault, { attributes: true, attributeFilter: ['style'] });
    window.addEventListener('pagehide', () => { if (isCut() || isFaulty() || isAway()) keepDraft(); });
    fault.querySelector('.reload').addEventListener('click', keepDraft);
  });
})();

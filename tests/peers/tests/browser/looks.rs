//! What every page of ours has to be, on every device, whatever it says.

use serde_json::Value;
use serde_json::json;
use tower_oauth_peers::chromium::Chromium;
use tower_oauth_peers::chromium::keep_picture;

/// Width and height in CSS pixels, and how many pixels of the screen make one.
const DEVICES: [(&str, u32, u32, u32); 2] = [("phone", 375, 812, 2), ("desktop", 1280, 800, 1)];

/// What the page is made of; and each text whose contrast is below what WCAG 2.2 wants of level AA (§1.4.3), with its ratio.
const EXAMINE: &str = r#"
const rgb = (color) => color.match(/[\d.]+/g).map(Number);
const linear = (part) => (part / 255 <= 0.04045 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4);
const luminance = ([red, green, blue]) => 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue);
const backgroundOf = (element) => {
  for (let at = element; at; at = at.parentElement) {
    const color = rgb(getComputedStyle(at).backgroundColor);
    if ((color[3] ?? 1) === 1) return color;
  }
  return [255, 255, 255];
};
const pale = [];
const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
let count = 0;
while (texts.nextNode()) {
  const text = texts.currentNode;
  if (!text.data.trim()) continue;
  count += 1;
  const style = getComputedStyle(text.parentElement);
  const [dark, light] = [rgb(style.color), backgroundOf(text.parentElement)].map(luminance).sort((a, b) => a - b);
  const ratio = (light + 0.05) / (dark + 0.05);
  if (ratio < 4.5) pale.push(`${text.data.trim()}: ${ratio.toFixed(2)}`);
}
const box = document.querySelector('main').getBoundingClientRect();
const narrow = [...document.querySelectorAll('a, button')].filter((target) => target.getBoundingClientRect().height < 40);
return {
  texts: count,
  pale,
  background: getComputedStyle(document.body).backgroundColor,
  title: document.title,
  language: document.documentElement.lang,
  fits: document.documentElement.scrollWidth <= window.innerWidth,
  width: window.innerWidth,
  margins: [box.left, window.innerWidth - box.right],
  narrow: narrow.map((target) => target.textContent),
  active: [...document.querySelectorAll('script, img, link, iframe, object, embed, audio, video, svg, base')]
    .map((element) => element.outerHTML),
  loaded: performance.getEntriesByType('resource').map((entry) => entry.name),
};
"#;

/// Looks at the page on every device, light and dark; keeps the pictures.
pub async fn look_at(browser: &Chromium, name: &str) {
    for (device, width, height, scale) in DEVICES {
        let screen = json!({
            "width": width, "height": height, "deviceScaleFactor": scale, "mobile": device == "phone",
        });
        browser.command("Emulation.setDeviceMetricsOverride", screen).await;
        let mut backgrounds = Vec::new();
        for scheme in ["light", "dark"] {
            let name = format!("{name}-{device}-{scheme}");
            let preference = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
            browser.command("Emulation.setEmulatedMedia", preference).await;
            let picture = browser.client.screenshot().await.expect("a picture");
            keep_picture(&name, &picture);
            let page = browser.evaluate(EXAMINE).await;
            assert_is_good(&page, &name);
            assert_eq!(page["width"], width, "{name}: the page takes the width of the screen");
            backgrounds.push(page["background"].clone());
        }
        assert_ne!(backgrounds[0], backgrounds[1], "{name}: light and dark differ");
    }
    assert_fits_the_smallest(browser, name).await;
    assert_kept_its_policy(browser, name).await;
}

/// What nobody has to push aside at the width of the smallest phones, or of a desktop at 400 % (WCAG 2.2 §1.4.10).
async fn assert_fits_the_smallest(browser: &Chromium, name: &str) {
    let screen = json!({ "width": 320, "height": 256, "deviceScaleFactor": 1, "mobile": true });
    browser.command("Emulation.setDeviceMetricsOverride", screen).await;
    assert_is_good(&browser.evaluate(EXAMINE).await, &format!("{name} at 320 pixels"));
    browser.command("Emulation.clearDeviceMetricsOverride", json!({})).await;
}

fn assert_is_good(page: &Value, name: &str) {
    assert!(page["texts"].as_u64() >= Some(2), "{name}: there is something to read: {page}");
    assert_eq!(page["pale"], json!([]), "{name}: every text can be read");
    assert_eq!(page["language"], "en", "{name}");
    assert_ne!(page["title"], "", "{name}");
    assert_eq!(page["fits"], true, "{name}: nothing is cut off, nothing has to be pushed aside");
    let margins =
        [&page["margins"][0], &page["margins"][1]].map(|margin| margin.as_f64().unwrap_or_default());
    assert!(
        margins[0] >= 12.0 && (margins[0] - margins[1]).abs() <= 1.0,
        "{name}: in the middle: {margins:?}"
    );
    assert_eq!(page["narrow"], json!([]), "{name}: a finger finds what can be pressed");
    assert_eq!(page["active"], json!([]), "{name}: nothing but text");
    assert_eq!(page["loaded"], json!([]), "{name}: nothing was loaded");
}

/// The style was not refused by the page's own `Content-Security-Policy`, nor did the page try anything that was.
async fn assert_kept_its_policy(browser: &Chromium, name: &str) {
    let entries = browser.log("browser").await;
    let broken =
        |entry: &&Value| entry["message"].as_str().unwrap_or_default().contains("Content Security Policy");
    let broken: Vec<_> = entries.iter().filter(broken).collect();
    // oidc-provider has no policy that its own pages would break.
    assert!(broken.is_empty(), "{name}: {broken:?}");
}

/// What Chromium asked of this origin since it was last asked: `Document /callback`, without the query.
pub async fn requests_to(browser: &Chromium, origin: &str) -> Vec<String> {
    let mut requests = Vec::new();
    for entry in browser.log("performance").await {
        let message: Value = serde_json::from_str(entry["message"].as_str().expect("a text")).expect("JSON");
        let (method, parameters) = (&message["message"]["method"], &message["message"]["params"]);
        let url = parameters["request"]["url"].as_str().unwrap_or_default();
        if method == "Network.requestWillBeSent" && url.starts_with(origin) {
            let path = url.trim_start_matches(origin).split('?').next().unwrap_or_default();
            requests.push(format!("{} {path}", parameters["type"].as_str().unwrap_or_default()));
        }
    }
    requests
}

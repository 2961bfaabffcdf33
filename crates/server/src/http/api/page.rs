//! The description of the API as a page to read, made of its description for programs.

use std::fmt::Write as _;

use serde_json::Value;
use utoipa::openapi::OpenApi;

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1a1a1a}\
    code{background:#f2f2f2;padding:.1em .3em;border-radius:3px}h2{border-bottom:1px solid #ccc;margin-top:2.5rem}\
    h3{margin-top:1.8rem}table{border-collapse:collapse;width:100%}td,th{text-align:left;vertical-align:top;padding:.25rem \
    .75rem .25rem 0;border-bottom:1px solid #eee}.method{text-transform:uppercase;font-weight:600}";

/// HTML with every path, its parameters, its body and its answers, and the shapes they have.
pub(super) fn written(document: &OpenApi) -> String {
    let document = serde_json::to_value(document).unwrap_or_default();
    let info = &document["info"];
    let mut html = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>{0}</title><style>{STYLE}</style><h1>{0}</h1><p>{1}</p><p>The same for programs: <a \
         href=\"/api/v1/openapi.json\">openapi.json</a>.</p>",
        escaped(&info["title"]),
        escaped(&info["description"])
    );
    let mut tag = "";
    for (path, operations) in members(&document["paths"]) {
        for (method, operation) in members(operations) {
            let own = operation["tags"][0].as_str().unwrap_or_default();
            if own != tag {
                tag = own;
                line(&mut html, format_args!("<h2>{}</h2>", escaped_text(tag)));
            }
            operation_written(&mut html, path, method, operation);
        }
    }
    html.push_str("<h2>Shapes</h2>");
    for (name, schema) in members(&document["components"]["schemas"]) {
        let (name, description) = (escaped_text(name), escaped(&schema["description"]));
        line(&mut html, format_args!("<h3 id=\"{name}\">{name}</h3><p>{description}</p>"));
        let properties: Vec<_> = members(&schema["properties"]).collect();
        if properties.is_empty() {
            line(&mut html, format_args!("<p>{}</p>", shape(schema)));
            continue;
        }
        html.push_str("<table>");
        for (name, property) in properties {
            let (name, description) = (escaped_text(name), escaped(&property["description"]));
            let shape = shape(property);
            line(&mut html, format_args!("<tr><td><code>{name}</code><td>{shape}<td>{description}</tr>"));
        }
        html.push_str("</table>");
    }
    html.push_str("</html>");
    html
}

fn operation_written(html: &mut String, path: &str, method: &str, operation: &Value) {
    let (path, method) = (escaped_text(path), escaped_text(method));
    line(html, format_args!("<h3><span class=\"method\">{method}</span> <code>{path}</code></h3>"));
    let (summary, description) = (escaped(&operation["summary"]), escaped(&operation["description"]));
    line(html, format_args!("<p>{summary}</p><p>{description}</p><table>"));
    for parameter in operation["parameters"].as_array().into_iter().flatten() {
        let (name, place) = (escaped(&parameter["name"]), escaped(&parameter["in"]));
        let (shape, description) = (shape(&parameter["schema"]), escaped(&parameter["description"]));
        line(html, format_args!("<tr><td><code>{name}</code> in {place}<td>{shape}<td>{description}</tr>"));
    }
    if let Some((_, body)) = members(&operation["requestBody"]["content"]).next() {
        line(html, format_args!("<tr><td>body<td>{}<td></tr>", shape(&body["schema"])));
    }
    for (status, response) in members(&operation["responses"]) {
        let content = members(&response["content"]).next();
        let shape = content.map(|(_, content)| shape(&content["schema"])).unwrap_or_default();
        let (status, description) = (escaped_text(status), escaped(&response["description"]));
        line(html, format_args!("<tr><td>{status}<td>{shape}<td>{description}</tr>"));
    }
    html.push_str("</table>");
}

/// A schema in a few words, with a link to the shape that it names.
fn shape(schema: &Value) -> String {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = escaped_text(reference.rsplit('/').next().unwrap_or(reference));
        return format!("<a href=\"#{name}\">{name}</a>");
    }
    if let Some(values) = schema["enum"].as_array() {
        let values: Vec<String> =
            values.iter().map(|value| format!("<code>{}</code>", escaped(value))).collect();
        return values.join(" or ");
    }
    for (member, word) in [("oneOf", " or "), ("anyOf", " or "), ("allOf", " and ")] {
        if let Some(parts) = schema[member].as_array() {
            return parts.iter().map(shape).collect::<Vec<_>>().join(word);
        }
    }
    if schema["items"].is_object() {
        return format!("list of {}", shape(&schema["items"]));
    }
    match &schema["type"] {
        Value::Array(types) => types.iter().map(escaped).collect::<Vec<_>>().join(" or "),
        other => escaped(other),
    }
}

fn members(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    value.as_object().into_iter().flatten().map(|(name, value)| (name.as_str(), value))
}

fn line(html: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a text cannot fail.
    let _always_written = html.write_fmt(text);
}

fn escaped(value: &Value) -> String {
    escaped_text(value.as_str().unwrap_or_default())
}

fn escaped_text(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

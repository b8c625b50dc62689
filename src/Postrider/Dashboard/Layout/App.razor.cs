using Microsoft.AspNetCore.Components;
using Microsoft.AspNetCore.Components.Web;
using Postrider.Dashboard.Access;

namespace Postrider.Dashboard.Layout;

/// <summary>The document around every page.</summary>
sealed partial class App
{
    const string ThemeCookie = "postrider-theme";

    [CascadingParameter]
    HttpContext Context { get; set; } = null!;

    string Nonce => SecurityHeaders.NonceOf(Context);

    /// <summary><c>light</c>, <c>dark</c>, or <c>auto</c>: as the browser wants it.</summary>
    string Theme => Context.Request.Cookies[ThemeCookie] switch { "light" => "light", "dark" => "dark", _ => "auto" };

    /// <summary>Null: plain HTML, for those who are not signed in.</summary>
    IComponentRenderMode? Mode =>
        Context.GetEndpoint()?.Metadata.GetMetadata<OpenToAllAttribute>() is null ? RenderMode.InteractiveServer : null;

    string MediaOf(string scheme) => Theme == "auto" ? $"(prefers-color-scheme: {scheme})" : Theme == scheme ? "all" : "not all";
}

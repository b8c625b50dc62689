namespace Postrider.Dashboard.Tests;

/// <summary>HTML that would run something, or tell somebody that it is looked at: for every place where a stranger's HTML is
/// shown.</summary>
static class HostileCorpus
{
    /// <summary>URL stands for the address of a <see cref="Listener"/>; whatever comes of it goes there.</summary>
    static readonly string[] Payloads =
    [
        "<script>new Image().src='URL'</script>",
        "<img src=x onerror=\"new Image().src='URL'\">",
        "<img src='URL'>",
        "<svg onload=\"new Image().src='URL'\"></svg>",
        "<svg><script>new Image().src='URL'</script></svg>",
        "<svg><image href='URL'/></svg>",
        "<svg><use href='URL#a'/></svg>",
        "<svg><animate onbegin=\"new Image().src='URL'\" attributeName=x dur=1s>",
        "<body onload=\"new Image().src='URL'\">",
        "<body background='URL'>",
        "<table background='URL'><tr><td>x</td></tr></table>",
        "<iframe src='URL'></iframe>",
        "<iframe srcdoc=\"<script>new Image().src='URL'</script>\"></iframe>",
        "<iframe src=\"javascript:new Image().src='URL'\"></iframe>",
        "<object data='URL'></object>",
        "<embed src='URL'>",
        "<link rel=stylesheet href='URL'>",
        "<link rel=preload as=image href='URL'>",
        "<link rel=prefetch href='URL'>",
        "<link rel=icon href='URL'>",
        "<link rel=preconnect href='URL'>",
        "<link rel=modulepreload href='URL'>",
        "<style>@import url('URL');</style>",
        "<style>body{background:url('URL')}</style>",
        "<style>@font-face{font-family:f;src:url('URL')}body{font-family:f}</style>",
        "<div style=\"background:url('URL')\">x</div>",
        "<style>li{list-style-image:url('URL')}</style><li>x",
        "<style>div::before{content:url('URL')}</style><div>x</div>",
        "<meta http-equiv=refresh content='0;url=URL'>",
        "<meta http-equiv=refresh content=\"0;url=javascript:new Image().src='URL'\">",
        "<base href='URL'><img src=x>",
        "<video src='URL' autoplay></video>",
        "<audio src='URL' autoplay></audio>",
        "<video poster='URL'></video>",
        "<video><source src='URL'></video>",
        "<picture><source srcset='URL'><img></picture>",
        "<img srcset='URL 1x'>",
        "<input type=image src='URL'>",
        "<input autofocus onfocus=\"new Image().src='URL'\">",
        "<details open ontoggle=\"new Image().src='URL'\">x</details>",
        "<marquee onstart=\"new Image().src='URL'\">x</marquee>",
        "<form action='URL'><input type=submit id=f></form><script>document.forms[0].submit()</script>",
        "<a href='URL' ping='URL' id=a>x</a><script>a.click()</script>",
        "<math><mtext><img src=x onerror=\"new Image().src='URL'\">",
        "<noscript><p title=\"</noscript><img src=x onerror=new Image().src='URL'>\">",
        "<!--><img src=x onerror=\"new Image().src='URL'\">-->",
        "<svg></p><style><a id=\"</style><img src=x onerror=new Image().src='URL'>\">",
        "<math><mi><table><mglyph><style><img src=x onerror=\"new Image().src='URL'\">",
        "<template><img src='URL'></template>",
        "<template shadowrootmode=open><img src='URL'></template>",
        "<div><template shadowrootmode=open><style>:host{background:url('URL')}</style></template></div>",
        "<script type=module>import('URL')</script>",
        "<script>fetch('URL')</script>",
        "<script>navigator.sendBeacon('URL')</script>",
        "<script>top.location='URL'</script>",
        "<script>open('URL')</script>",
        "<script>new WebSocket('URL'.replace('http','ws'))</script>",
        "<frameset><frame src='URL'></frameset>",
        "<img src=\"cid:x\" onload=\"new Image().src='URL'\">",
        "<img src='data:image/svg+xml,<svg xmlns=\"http://www.w3.org/2000/svg\"><image href=\"URL\"/></svg>'>",
        "<a href=\"javascript:new Image().src='URL'\" autofocus>x</a>",
        "<xss style=\"animation-name:x\" onanimationstart=\"new Image().src='URL'\"><style>@keyframes x{}</style>",
    ];

    /// <summary>All of it, each leading to the address and <paramref name="place"/>, a hyphen and its number.</summary>
    /// <param name="place">Where it is shown: tells in the listener which of them were heard of.</param>
    public static IReadOnlyList<string> For(Listener listener, string place) =>
        [.. Payloads.Select((payload, n) => payload.Replace("URL", $"{listener.Address}{place}-{n}", StringComparison.Ordinal))];
}

using System.ComponentModel.DataAnnotations;

namespace Postrider.Hosting;

/// <summary>The settings that have a short form: what an operator sets first. Everything else has its section.</summary>
/// <remarks>Lists are separated by white space (in the file also as arrays); the parts that read them check them.</remarks>
public sealed class PostriderOptions
{
    /// <summary>Where everything is kept: <c>sqlite:PATH</c>, or <c>postgres://user:password@host/database</c> for several nodes.
    /// Default: <c>postrider.db</c> in the data folder.</summary>
    public string Store { get; set; } = "";

    /// <summary>Addresses to listen on, <c>http://host:port</c> or <c>https://host:port</c>; port 0 takes a free one.</summary>
    public string Urls { get; set; } = "http://127.0.0.1:8025";

    /// <summary>Further addresses, in the same form, that answer <c>/healthz</c>, <c>/readyz</c> and <c>/metrics</c> without a key, and
    /// nothing else. Empty: none.</summary>
    public string AdminUrls { get; set; } = "";

    /// <summary>How the world reaches us. Default: the first of <see cref="Urls"/>.</summary>
    public string PublicUrl { get; set; } = "";

    /// <summary>Networks of reverse proxies before us: from there, and from nowhere else, <c>X-Forwarded-For</c> and
    /// <c>X-Forwarded-Proto</c> say who calls and whether by https. They must set both. Empty: from nowhere.</summary>
    public string TrustedProxies { get; set; } = "";

    /// <summary>A domain whose mail comes to us: what leaves through smtp transports asks for its bounces there. Empty: they go to the
    /// sender.</summary>
    public string BounceDomain { get; set; } = "";

    /// <summary>Addresses of SMTP submission, <c>host:port</c>, or <c>smtps://host:port</c> for TLS from the first byte; or <c>off</c>.
    /// Port 0 takes a free one.</summary>
    public string Smtp { get; set; } = "127.0.0.1:1025";

    /// <summary>Any of <c>api smtp worker scheduler dashboard</c>. Default: all.</summary>
    public string Roles { get; set; } = "";

    /// <summary>A key with all scopes for the first tenant, at least 24 characters; the same again is no error.
    /// Default: one is made at the first start and printed once.</summary>
    [MinLength(24, ErrorMessage = "must have at least 24 characters")]
    public string? ApiKey { get; set; }

    /// <summary>32 bytes in base64: encrypts secrets and signs tokens. Default: made in the data folder at the first start.</summary>
    public string? MasterKey { get; set; }

    /// <summary>A file with the master key, readable by its owner only; instead of <see cref="MasterKey"/>.</summary>
    public string? MasterKeyFile { get; set; }

    /// <summary>Folder for database, keys and certificates.</summary>
    public string Data { get; set; } = "data";

    /// <summary>The log on standard error: a line for people (<c>Text</c>), or a JSON object in each line (<c>Json</c>).</summary>
    public LogForm Log { get; set; } = LogForm.Text;

    /// <summary>Staging: only addresses that match one of these patterns leave, <c>*@example.com you@example.org</c>. Empty: all.</summary>
    public string AllowRecipients { get; set; } = "";

    /// <summary>PEM or PFX file for https, and for SMTP with TLS. Default: a self-signed certificate in the data folder, made on first
    /// use.</summary>
    public string? Certificate { get; set; }

    /// <summary>PEM file with the certificate's key, readable by its owner only; null when <see cref="Certificate"/> holds both.</summary>
    public string? CertificateKey { get; set; }

    /// <summary>Password of the PFX or of the PEM key; null when there is none.</summary>
    public string? CertificatePassword { get; set; }
}

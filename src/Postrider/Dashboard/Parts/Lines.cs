namespace Postrider.Dashboard.Parts;

/// <summary>Lines to paste into a shell. They name the key by its variable: none is ever shown.</summary>
static class Lines
{
    public static string Send(string origin) => $$"""
        curl {{Insecure(origin)}}{{origin}}/emails -H "Authorization: Bearer $POSTRIDER_API_KEY" -H 'Content-Type: application/json' \
          -d '{"from":"you@example.com","to":"ann@example.com","subject":"Hello","text":"It works."}'
        """;

    /// <summary>A batch with its destinations.</summary>
    public static string Batch(string origin) => Post(origin, "/emails/send",
        """{"from":"news@example.com","destinations":[{"email":"ann@example.com"},{"email":"bob@example.com"}],"subject":"News","text":"It works."}""");

    public static string AddTransport(string origin) => Post(
        origin, "/transports", """{"name":"own-relay","dsn":"smtp://user:password@smtp.example.com:587"}""");

    /// <summary>A call with a body.</summary>
    public static string Post(string origin, string path, string json) => $$"""
        curl {{Insecure(origin)}}{{origin}}{{path}} -H "Authorization: Bearer $POSTRIDER_API_KEY" -H 'Content-Type: application/json' \
          -d '{{json}}'
        """;

    /// <summary>A call that asks.</summary>
    public static string Get(string origin, string path) =>
        $"curl {Insecure(origin)}'{origin}{path}' -H \"Authorization: Bearer $POSTRIDER_API_KEY\"";

    // The certificate of our own making is only for trying things out here.
    static string Insecure(string origin) => origin.StartsWith("https://127.0.0.1", StringComparison.Ordinal) ? "-k " : "";
}

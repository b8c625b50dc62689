namespace Postrider.Dashboard.Parts;

/// <summary>Lines to paste into a shell. They name the key by its variable: none is ever shown.</summary>
static class Lines
{
    public static string Send(string origin) => $$"""
        curl {{Insecure(origin)}}{{origin}}/emails -H "Authorization: Bearer $POSTRIDER_API_KEY" -H 'Content-Type: application/json' \
          -d '{"from":"you@example.com","to":"ann@example.com","subject":"Hello","text":"It works."}'
        """;

    // The certificate of our own making is only for trying things out here.
    static string Insecure(string origin) => origin.StartsWith("https://127.0.0.1", StringComparison.Ordinal) ? "-k " : "";
}

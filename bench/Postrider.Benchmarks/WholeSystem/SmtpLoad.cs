using System.Globalization;

namespace Postrider.Benchmarks.WholeSystem;

/// <summary>Postfix's <c>smtp-source</c>: mails of 2 KB to distinct recipients over connections that stay open.</summary>
static class SmtpLoad
{
    public static Task RunAsync(int port, int messages, int connections, CancellationToken ct) =>
        Child.RunAsync(Programs.SmtpSource,
            [
                "-d", "-N", "-s", Text(connections), "-l", "2048", "-m", Text(messages),
                "-f", "shop@bench.example", "-t", "customer@bench.example", $"127.0.0.1:{port}",
            ],
            null, ct);

    static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}

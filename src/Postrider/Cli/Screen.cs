using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Postrider.Api;
using Spectre.Console;

namespace Postrider.Cli;

/// <summary>A file that tells how much of it was read.</summary>
sealed class CountedStream(Stream from, Action<long, long> step) : Stream
{
    public override bool CanRead => true;
    public override bool CanSeek => false;
    public override bool CanWrite => false;
    public override long Length => throw new NotSupportedException();
    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

    public override int Read(byte[] buffer, int offset, int count) => Told(from.Read(buffer, offset, count));

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
        Told(await from.ReadAsync(buffer, cancellationToken));

    int Told(int read)
    {
        step(from.Position, from.Length);
        return read;
    }

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
    public override void SetLength(long value) => throw new NotSupportedException();
    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
}

/// <summary>Where commands print. What comes from outside is printed as text: no control characters, no markup.</summary>
sealed class Screen
{
    readonly TextWriter _output;

    public Screen(TextWriter output)
    {
        _output = output;
        Console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(output) });
        if (!IsTerminal)
            Console.Profile.Width = 200; // pipes and files have no width; a table is not to be broken for one
    }

    public IAnsiConsole Console { get; }
    public bool IsTerminal => ReferenceEquals(_output, System.Console.Out) && !System.Console.IsOutputRedirected;

    /// <summary>Asks a person. False: no, or nobody is there.</summary>
    public bool Asks(string question) =>
        IsTerminal && !System.Console.IsInputRedirected && Console.Confirm(Markup.Escape(question), defaultValue: false);

    /// <summary>Long work: a bar on a terminal, and nothing elsewhere or where JSON is asked for.</summary>
    /// <param name="run">Gets what is to be told how much is done, and of how much (0: not known).</param>
    public Task<T> ProgressAsync<T>(string what, bool isQuiet, Func<Action<long, long>, Task<T>> run)
    {
        if (!IsTerminal || isQuiet)
            return run(static (_, _) => { });
        return Console.Progress().AutoClear(true).StartAsync(context =>
        {
            var bar = context.AddTask(Markup.Escape(what));
            bar.IsIndeterminate = true;
            return run((done, total) =>
            {
                bar.IsIndeterminate = total == 0;
                bar.MaxValue = Math.Max(1, total);
                bar.Value = done;
            });
        });
    }

    public void Line(string text) => _output.WriteLine(Printable(text));

    /// <summary>JSON as the server wrote it, indented.</summary>
    public void Json(Answer answer)
    {
        using var document = JsonDocument.Parse(answer.Json.Length == 0 ? "{}" : answer.Json);   // 204 says nothing
        using var stream = new MemoryStream();
        using (var writer = new Utf8JsonWriter(stream,
            new JsonWriterOptions { Indented = true, Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
            document.RootElement.WriteTo(writer);
        _output.WriteLine(Encoding.UTF8.GetString(stream.ToArray()));
    }

    /// <summary>JSON that a command makes itself.</summary>
    public void Json(JsonNode answer) => Json(new Answer(answer.ToJsonString()));

    public void Table(IEnumerable<string> columns, IEnumerable<IReadOnlyList<string?>> rows) => Console.Write(MakeTable(columns, rows));

    public static Table MakeTable(IEnumerable<string> columns, IEnumerable<IReadOnlyList<string?>> rows)
    {
        var table = new Table().Border(TableBorder.Simple);
        foreach (var column in columns)
            table.AddColumn(new TableColumn(column));
        foreach (var row in rows)
            table.AddRow(row.Select(cell => new Text(Printable(cell ?? ""))));
        return table;
    }

    /// <summary>Control characters, which could command the terminal, shown as a dot; line breaks stay.</summary>
    public static string Printable(string text) =>
        text.Any(IsCommand) ? string.Concat(text.Select(letter => IsCommand(letter) ? '·' : letter)) : text;

    static bool IsCommand(char letter) =>
        letter != '\n' && (char.IsControl(letter) || letter is >= '\u202A' and <= '\u202E' or >= '\u2066' and <= '\u2069');

    public static string Time(DateTimeOffset? at) =>
        at?.ToLocalTime().ToString("yyyy-MM-dd HH:mm:ss.fff", CultureInfo.InvariantCulture) ?? "";

    public static string Reply(int? code, string? enhanced, string? text) =>
        string.Join(' ', new[] { code?.ToString(CultureInfo.InvariantCulture), enhanced, text }.Where(part => !string.IsNullOrEmpty(part)));

    /// <summary>So many of something: <c>1 message</c>, <c>2,000 messages</c>.</summary>
    public static string Count(long count, string one) =>
        string.Create(CultureInfo.InvariantCulture, $"{count:N0} {one}{(count == 1 ? "" : "s")}");

    /// <summary>How a message stands. What somebody cancelled did not fail, though the API has one word for both.</summary>
    public static string State(string status, string? reason) =>
        reason is null ? status
            : status == "failed" && (reason == "cancelled" || (reason.StartsWith("all ", StringComparison.Ordinal)
                && reason.EndsWith(" cancelled", StringComparison.Ordinal))) ? reason
            : $"{status}: {reason}";

    /// <summary>A message's recipients, as they are now.</summary>
    public static Table Recipients(EmailAnswer email) => MakeTable(
        ["recipient", "", "state", "reply", "transport", "tries", "next attempt"],
        email.Recipients.Select(recipient => new[]
        {
            recipient.Email, ApiJson.Word(recipient.Kind),
            recipient.WaitingFor is { } reason ? $"{ApiJson.Word(recipient.Status)} ({reason})" : ApiJson.Word(recipient.Status),
            Reply(recipient.StatusCode, recipient.EnhancedCode, recipient.StatusReason),
            recipient.UnderWay is { } attempt ? $"{attempt.Transport} (since {Time(attempt.Since)})" : recipient.Transport,
            recipient.Tries.ToString(CultureInfo.InvariantCulture),
            recipient.NextAttemptAt is { } next && next <= TimeProvider.System.GetUtcNow() ? "due" : Time(recipient.NextAttemptAt),
        }));
}

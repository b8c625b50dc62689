using System.Globalization;
using Postrider.Storage;

namespace Postrider.Hosting;

/// <summary>How many connections are taken: those that the settings allow, but never so many that the limit of open files (<c>ulimit
/// -n</c>, <c>LimitNOFILE=</c>) leaves none for the database and the relays. A process at that limit cannot open its files, and the
/// runtime may end it.</summary>
/// <param name="Http">Of each address of <c>POSTRIDER_URLS</c>: the server counts each by itself.</param>
/// <param name="Smtp">Of all addresses of <c>POSTRIDER_SMTP</c> together.</param>
/// <param name="OpenFiles">What made them fewer than the settings allow; null: nothing did.</param>
sealed record ConnectionLimits(int Http, int Smtp, int? OpenFiles)
{
    /// <summary>Kept for everything else where the limit is small: the process itself has 300 open, above all the files of its
    /// assemblies; the rest is for connections to the database and to relays.</summary>
    const int Reserve = 448;

    /// <summary>However small the limit is.</summary>
    const int Fewest = 16;

    public static ConnectionLimits Of(PostriderOptions options, ServerOptions http, SmtpListenerOptions smtp, bool takesSmtp) =>
        Of(Endpoints(options.Urls), http.MaxConnections, takesSmtp ? smtp.MaxConnections : 0,
            TestSwitches.TakesEveryConnection ? null : OpenFilesOf("/proc/self/limits"));

    /// <param name="endpoints">Of HTTP.</param>
    /// <param name="openFiles">Null: not known, or without a limit.</param>
    internal static ConnectionLimits Of(int endpoints, int http, int smtp, int? openFiles)
    {
        if (openFiles is not { } files)
            return new ConnectionLimits(http, smtp, null);
        var free = Math.Max(Fewest, files - Math.Max(files / 4, Reserve));
        if ((long)http * endpoints + smtp <= free)
            return new ConnectionLimits(http, smtp, null);
        var ofSmtp = Math.Min(smtp, Math.Max(free / 2, free - (int)Math.Min(free, (long)http * endpoints)));
        return new ConnectionLimits(Math.Clamp((free - ofSmtp) / endpoints, 1, http), ofSmtp, files);
    }

    public void Tell(ILogger log)
    {
        if (OpenFiles is { } files)
            ConnectionLimitsLog.Fewer(log, files, Http, Smtp);
    }

    /// <summary>The line "Max open files", soft limit first, which the runtime raises to the hard one at its start (proc_pid_limits(5)).
    /// Null where there is no such file.</summary>
    internal static int? OpenFilesOf(string path)
    {
        const string Name = "Max open files";
        if (!File.Exists(path))
            return null;
        var line = File.ReadLines(path).FirstOrDefault(line => line.StartsWith(Name, StringComparison.Ordinal));
        var soft = line?[Name.Length..].Split(' ', StringSplitOptions.RemoveEmptyEntries).FirstOrDefault();
        return int.TryParse(soft, NumberStyles.None, CultureInfo.InvariantCulture, out var files) ? files : null;
    }

    /// <summary>Sockets: <c>localhost</c> is one of each family.</summary>
    static int Endpoints(string urls) => Math.Max(1, ListenAddress.Split(urls)
        .Sum(text => ListenAddress.TryParse(text, out var address) && address.Host == "localhost" ? 2 : 1));
}

/// <summary>What is logged of them; the generator of log methods leaves records out.</summary>
static partial class ConnectionLimitsLog
{
    [LoggerMessage(LogLevel.Warning, "This process may open {Files} files, fewer than the connections that the settings allow: it takes "
        + "{Http} over HTTP at each address and {Smtp} over SMTP. Raise ulimit -n (LimitNOFILE= of systemd) to take more")]
    public static partial void Fewer(ILogger log, int files, int http, int smtp);
}

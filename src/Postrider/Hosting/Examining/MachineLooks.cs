using System.Net;
using System.Net.Sockets;
using Postrider.Doctor;
using Postrider.Messages;
using Postrider.Routing;
using Postrider.Storage;

namespace Postrider.Hosting.Examining;

/// <summary>What can be seen of this machine: settings, files, disk and ports.</summary>
static class MachineLooks
{
    static readonly string[] DatabaseFiles = ["", "-wal", "-shm", ".lock", ".ballast"];

    /// <summary>Settings, files and disk. No nodes, no database, no network.</summary>
    public static Facts Of(LoadedConfiguration configuration, DateTimeOffset now)
    {
        var options = configuration.Get<PostriderOptions>();
        var transports = TransportDsn.ParseAll(configuration.Routing.Transports, []);
        var publicUrl = Uri.TryCreate(options.PublicUrl, UriKind.Absolute, out var url) ? url : null;
        return new Facts
        {
            Now = now,
            Version = ThisProcess.Version,
            ConfigurationFaults = configuration.Faults,
            ConfigurationWarnings = configuration.Warnings,
            PublicUrl = publicUrl,
            Twins = Twins(transports),
            Captures = configuration.IsDevelopment ? [] : [.. transports.Where(one => one.Scheme == "capture").Select(one => one.Name)],
            Certificate = ServerCertificate.EndOf(options) is { } ends ? new CertificateFact(options.Certificate!, ends) : null,
            Paths = [.. Paths(options).Where(Path.Exists).Select(path =>
                new PathFact(path, OperatingSystem.IsWindows() ? null : File.GetUnixFileMode(path)))],
            Disk = Stores.FolderOf(options) is { } folder ? Disk(folder, configuration) : null,
        };
    }

    // What has no network leads nowhere.
    static List<(string, string)> Twins(IReadOnlyList<TransportSettings> transports) =>
    [
        .. from pair in transports.Index()
           from other in transports.Skip(pair.Index + 1)
           where pair.Item.Scheme is not ("capture" or "sim") && pair.Item.LeadsWhere(other)
           select (pair.Item.Name, other.Name),
    ];

    /// <summary>What only the owner may open. A file that the operator named may be a group's: containers mount secrets so.</summary>
    static IEnumerable<string> Paths(PostriderOptions options)
    {
        var data = Path.GetFullPath(options.Data);
        string[] own = [data, KeyHere.OwnFile(options), Path.Combine(data, "self-signed.pfx")];
        if (Stores.FolderOf(options) is not { } folder)
            return own;
        var database = Path.GetFullPath(Stores.SqlitePath(options));
        return own.Append(folder).Concat(DatabaseFiles.Select(end => database + end)).Distinct();
    }

    static DiskFact? Disk(string folder, LoadedConfiguration configuration)
    {
        while (!Directory.Exists(folder) && Path.GetDirectoryName(folder) is { } above)
            folder = above;
        try
        {
            var drive = new DriveInfo(folder);
            var needed = configuration.Get<StorageOptions>().ForMessagesOf(configuration.Submission.MaxMessageBytes).EffectiveMinFreeBytes;
            return new DiskFact(folder, drive.AvailableFreeSpace, needed, drive.DriveFormat);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            return null;
        }
    }

    /// <summary>Addresses of the settings on which this machine lets nobody listen now.</summary>
    public static IReadOnlyList<(string Address, string Why)> ClosedPorts(PostriderOptions options)
    {
        var closed = new List<(string, string)>();
        var smtp = SmtpListener.IsOn(options) ? ListenAddress.Split(options.Smtp) : [];
        foreach (var text in ListenAddress.Split($"{options.Urls} {options.AdminUrls}"))
            if (ListenAddress.TryParse(text, out var address) && WhyClosed(address) is { } why)
                closed.Add((text, why));
        foreach (var text in smtp)
            if (ListenAddress.TryParseSmtp(text, out var address) && WhyClosed(address) is { } why)
                closed.Add((text, why));
        return closed;
    }

    static string? WhyClosed(ListenAddress address)
    {
        if (address.Port == 0)
            return null;
        var ip = address.Host switch
        {
            "*" => IPAddress.Any,
            "localhost" => IPAddress.Loopback,
            var host => IPAddress.Parse(host),
        };
        try
        {
            using var socket = new Socket(ip.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
            // As servers do: what a connection of before has left behind is no other program.
            socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
            socket.Bind(new IPEndPoint(ip, address.Port));
            socket.Listen();
            return null;
        }
        catch (SocketException e)
        {
            return e.SocketErrorCode switch
            {
                SocketError.AddressAlreadyInUse => "another program has it",
                SocketError.AccessDenied => "this user may not take it",
                _ => e.Message,
            };
        }
    }
}

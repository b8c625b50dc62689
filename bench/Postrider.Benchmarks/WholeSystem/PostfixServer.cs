using System.Globalization;
using Postrider.Testing;

namespace Postrider.Benchmarks.WholeSystem;

/// <summary>A Postfix of our own: its configuration, queue and port are private, the system's Postfix is not touched. Tuned for relaying
/// on one machine.</summary>
sealed class PostfixServer : IAsyncDisposable
{
    readonly string _configuration;

    PostfixServer(string configuration, int port, int masterId)
    {
        _configuration = configuration;
        Port = port;
        MasterId = masterId;
    }

    public int Port { get; }

    /// <summary>Process id of <c>master</c>, the parent of all the others.</summary>
    public int MasterId { get; }

    /// <param name="relayPort">Where mail goes on to; null: nothing is delivered, mail stays in the incoming queue (there is no queue
    /// manager).</param>
    public static async Task<PostfixServer> StartAsync(string folder, int? relayPort, CancellationToken ct)
    {
        if (!Environment.IsPrivilegedProcess)
            throw new InvalidOperationException("Postfix starts as root only: run the benchmark as root.");
        var configuration = Path.Combine(folder, "etc");
        var port = Ports.Free();
        Directory.CreateDirectory(configuration);
        Directory.CreateDirectory(Path.Combine(folder, "queue"));
        Directory.CreateDirectory(Path.Combine(folder, "data"));
        await File.WriteAllTextAsync(Path.Combine(configuration, "main.cf"), MainFile(folder, relayPort ?? 9), ct);
        await File.WriteAllTextAsync(Path.Combine(configuration, "master.cf"), MasterFile(port, relayPort is not null), ct);
        await Child.RunAsync("chown", ["postfix", Path.Combine(folder, "data")], null, ct);
        await Child.RunAsync(Programs.Postfix, ["-c", configuration, "start"], null, ct);
        try
        {
            await Listeners.WaitUntilOpenAsync(port, ct);
            return new PostfixServer(configuration, port, await MasterIdAsync(folder, ct));
        }
        catch
        {
            await StopAsync(configuration);
            throw;
        }
    }

    public async ValueTask DisposeAsync() => await StopAsync(_configuration);

    static async Task StopAsync(string configuration) =>
        await Child.RunAsync(Programs.Postfix, ["-c", configuration, "stop"], null, CancellationToken.None);

    // master holds a lock on the file as long as it lives, and .NET opens no file that another has locked.
    static async Task<int> MasterIdAsync(string folder, CancellationToken ct) =>
        int.Parse((await Child.RunAsync("cat", [Path.Combine(folder, "queue", "pid", "master.pid")], null, ct)).Trim(),
            CultureInfo.InvariantCulture);

    // Each line here was given for speed, and none for less safety: the queue file is synced before 250 as always.
    static string MainFile(string folder, int relayPort) => $"""
        compatibility_level = 3.6
        queue_directory = {folder}/queue
        data_directory = {folder}/data
        mail_owner = postfix
        setgid_group = postdrop
        myhostname = bench.example
        mydestination =
        local_recipient_maps =
        alias_maps =
        alias_database =
        mynetworks = 127.0.0.0/8
        inet_interfaces = 127.0.0.1
        inet_protocols = ipv4
        relayhost = [127.0.0.1]:{relayPort}
        # no look-ups
        smtp_dns_support_level = disabled
        smtp_host_lookup = native
        smtpd_peername_lookup = no
        default_database_type = hash
        smtpd_relay_restrictions = permit_mynetworks, reject
        smtpd_recipient_restrictions =
        # no TLS on either side, as Postrider in this run
        smtp_tls_security_level = none
        smtpd_tls_security_level = none
        # no artificial waiting, no client limits
        in_flow_delay = 0
        smtpd_error_sleep_time = 0
        smtpd_client_connection_count_limit = 0
        smtpd_client_event_limit_exceptions = static:all
        # processes live on and are enough for every connection
        default_process_limit = 300
        max_use = 1000000
        max_idle = 600
        # wide out, connections used again
        initial_destination_concurrency = 50
        default_destination_concurrency_limit = 50
        default_destination_concurrency_positive_feedback = 1
        smtp_connection_cache_destinations = static:all
        smtp_connection_reuse_count_limit = 0
        smtp_connection_cache_time_limit = 30s
        qmgr_message_active_limit = 100000
        qmgr_message_recipient_limit = 100000
        # cheap directories, no rewriting
        receive_override_options = no_address_mappings, no_header_body_checks
        """;

    static string MasterFile(int port, bool delivers) => $"""
        127.0.0.1:{port} inet n - n - - smtpd
        cleanup unix n - n - 0 cleanup
        {(delivers ? "qmgr unix n - n 300 1 qmgr" : "")}
        rewrite unix - - n - - trivial-rewrite
        bounce unix - - n - 0 bounce
        defer unix - - n - 0 bounce
        trace unix - - n - 0 bounce
        proxymap unix - - n - - proxymap
        smtp unix - - n - - smtp
        relay unix - - n - - smtp
        error unix - - n - - error
        retry unix - - n - - error
        anvil unix - - n - 1 anvil
        scache unix - - n - 1 scache
        postlog unix-dgram n - n - 1 postlogd
        """;
}

using System.Text.Json;
using Postrider.Testing;

namespace Postrider.Mail.Tests.Mime;

/// <summary>
/// Mail readers that others wrote, in <c>tests/peers</c>: each reads a folder of messages and tells what it found in them.
/// </summary>
static class PeerReaders
{
    static string Folder => Peers.Folder;

    /// <summary>Python's <c>email</c>.</summary>
    public static JsonElement[] ReadWithPython(string messages) =>
        Read(Requires.Python("email"), Path.Combine(Folder, "read_mail.py"), messages);

    /// <summary>The same, for messages of any kind, damaged ones too.</summary>
    public static JsonElement[] TakeApartWithPython(string messages) =>
        Read(Requires.Python("email"), Path.Combine(Folder, "read_mime.py"), messages);

    /// <summary>npm's <c>mailparser</c>.</summary>
    public static JsonElement[] ReadWithMailparser(string messages) => ReadWithNode("read-mail.mjs", messages);

    /// <summary>The DKIM signatures, by npm's <c>mailauth</c>.</summary>
    public static JsonElement[] VerifyWithMailauth(string messages) => ReadWithNode("verify-dkim.mjs", messages);

    /// <summary>The DKIM signatures, by OpenDKIM, in namespaces of their own, where port 53 of the loopback is free.</summary>
    public static JsonElement[] VerifyWithOpenDkim(string messages)
    {
        Requires.Program("opendkim-testmsg");
        Requires.Root();
        var unshare = Requires.Program("unshare");
        var python = Requires.Python("json");
        return Lines(unshare, "--mount", "--net", python, Path.Combine(Folder, "verify_dkim.py"), messages);
    }

    static JsonElement[] ReadWithNode(string script, string messages)
    {
        var node = Requires.Program("node");
        Peers.Install();
        return Read(node, Path.Combine(Folder, script), messages);
    }

    static JsonElement[] Read(string program, string script, string messages) => Lines(program, script, messages);

    static JsonElement[] Lines(string program, params string[] arguments)
    {
        var (code, output, error) = Peers.Run(program, arguments);
        if (code != 0)
            throw new InvalidOperationException($"{string.Join(' ', arguments)} ended with {code}: {error}");
        return [.. output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonElement.Parse(line))];
    }
}

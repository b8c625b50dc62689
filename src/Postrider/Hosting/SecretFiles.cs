using Postrider.Messages;

namespace Postrider.Hosting;

/// <summary>Files that hold secrets: made for their owner only, and never read when others may read them too.</summary>
static class SecretFiles
{
    const UnixFileMode Others = UnixFileMode.OtherRead | UnixFileMode.OtherWrite;

    /// <summary>Where the system has no such modes (Windows) the folder's own rights decide: never true.</summary>
    public static bool IsReadableByOthers(string path) => !OperatingSystem.IsWindows() && (File.GetUnixFileMode(path) & Others) != 0;

    /// <summary>Writes beside and renames: whoever reads sees all or nothing, and nobody else sees it meanwhile.</summary>
    public static void Write(string path, ReadOnlySpan<byte> content)
    {
        var beside = path + ".new";
        using (var file = new FileStream(beside, OwnerOnly.Open(FileMode.Create, FileAccess.Write)))
        {
            file.Write(content);
            file.Flush(flushToDisk: true);
        }
        File.Move(beside, path, overwrite: true);
    }
}

namespace Postrider.Messages;

/// <summary>Files and folders that other users of the machine may not read: mail, addresses and keys are in them.</summary>
public static class OwnerOnly
{
    const UnixFileMode File = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    /// <summary>Makes a folder and those above it; one that is there keeps its rights.</summary>
    public static void MakeFolder(string path)
    {
        // Windows has no such modes: there the rights of the folder above decide.
        if (OperatingSystem.IsWindows())
            Directory.CreateDirectory(path);
        else
            Directory.CreateDirectory(path, File | UnixFileMode.UserExecute);
    }

    /// <summary>How to open a file; one that is there keeps its rights.</summary>
    public static FileStreamOptions Open(FileMode mode, FileAccess access)
    {
        var options = new FileStreamOptions { Mode = mode, Access = access, Share = FileShare.None, BufferSize = 0 };
        if (!OperatingSystem.IsWindows())
            options.UnixCreateMode = File;
        return options;
    }
}

/* Stands in for the lodctr and unlodctr of Windows, of which Wine has only the names.
 *
 *   lodctr /m:MANIFEST FOLDER     refuses a set that is there, and a program in FOLDER that lacks a string which the
 *                                 manifest names, or has another one; then writes the provider into the registry
 *   unlodctr /g:{GUID}            removes it
 */
#include <windows.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char manifest[1 << 16];

static int fail(const char *why, const char *what)
{
    printf("Error: %s %s\r\n", why, what);
    return 1;
}

/* The value of the next attribute of this name, and where it ends; 0 when there is none. */
static char *value(char *from, const char *name, char *into, size_t size)
{
    char start[64];
    snprintf(start, sizeof start, " %s=\"", name);
    char *at = strstr(from, start);
    if (!at)
        return NULL;
    at += strlen(start);
    char *end = strchr(at, '"');
    if (!end || (size_t)(end - at) >= size)
        return NULL;
    memcpy(into, at, end - at);
    into[end - at] = 0;
    return end;
}

/* Every text of the manifest is in the program, under its number. */
static int compare(HMODULE program, const char *text, const char *number)
{
    char wanted[512], id[16], found[512];
    int count = 0;
    for (char *at = manifest; (at = value(at, text, wanted, sizeof wanted));) {
        /* An attribute of a counter has a name and no text. */
        if (!strcmp(wanted, "reference"))
            continue;
        count++;
        if (!(at = value(at, number, id, sizeof id)))
            return -1;
        if (LoadStringA(program, atoi(id), found, sizeof found) <= 0 || strcmp(wanted, found))
            return -1;
    }
    return count;
}

static void key_of(const char *guid, char *key, size_t size)
{
    snprintf(key, size, "SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion\\Perflib\\_V2Providers\\%s", guid);
}

static int load(const char *file, const char *folder)
{
    char guid[64], name[MAX_PATH], program[2 * MAX_PATH], key[256];
    FILE *text = fopen(file, "rb");
    if (!text)
        return fail("no manifest", file);
    manifest[fread(manifest, 1, sizeof manifest - 1, text)] = 0;
    fclose(text);
    if (!value(manifest, "providerGuid", guid, sizeof guid) ||
        !value(manifest, "applicationIdentity", name, sizeof name))
        return fail("no provider in", file);
    snprintf(program, sizeof program, "%s\\%s", folder, name);
    HMODULE module = LoadLibraryExA(program, NULL, LOAD_LIBRARY_AS_DATAFILE | LOAD_LIBRARY_AS_IMAGE_RESOURCE);
    if (!module)
        return fail("no program", program);
    int names = compare(module, "name", "nameID"), texts = compare(module, "description", "descriptionID");
    if (names < 2 || names != texts)
        return fail("other strings in", program);
    key_of(guid, key, sizeof key);
    HKEY handle;
    DWORD how;
    if (RegCreateKeyExA(HKEY_LOCAL_MACHINE, key, 0, NULL, 0, KEY_WRITE, NULL, &handle, &how))
        return fail("no right to write", key);
    if (how == REG_OPENED_EXISTING_KEY)
        return fail("there already is", guid);
    if (RegSetValueExA(handle, "ApplicationIdentity", 0, REG_SZ, (BYTE *)program, strlen(program) + 1))
        return fail("no right to write into", key);
    printf("Info: %d names\r\n", names);
    return 0;
}

int main(int count, char **words)
{
    char key[256];
    if (count == 3 && !strncmp(words[1], "/m:", 3))
        return load(words[1] + 3, words[2]);
    if (count == 2 && !strncmp(words[1], "/g:", 3)) {
        key_of(words[1] + 3, key, sizeof key);
        return RegDeleteKeyA(HKEY_LOCAL_MACHINE, key) ? fail("there is no", words[1] + 3) : 0;
    }
    return fail("not understood:", GetCommandLineA());
}

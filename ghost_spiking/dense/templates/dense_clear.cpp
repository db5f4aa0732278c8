{% extends 'common_group.cpp' %}
{% block maincode %}
    if (!{{get_array_name(variables[flag])}}[0])
    {
        {{get_array_name(variables[flag])}}[0] = 1;
        for (size_t _idx = 0; _idx < {{size}}; _idx++)
            if ({{get_array_name(variables[connected])}}[_idx] == 0)
            {
                {% for name in matrices %}
                {{get_array_name(variables[name])}}[_idx] = 0;
                {% endfor %}
            }
    }
{% endblock %}
